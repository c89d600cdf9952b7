# Looks for anything that opens a door: in the environment, in processes, in files, in git's settings, in mounts.
env
for process in /proc/[0-9]*; do
  tr '\0' '\n' <"$process/environ"
  tr '\0' ' ' <"$process/cmdline"
  cat "$process/maps" "$process/mountinfo"
  ls -l "$process/fd" "$process/root" "$process/cwd"
done 2>&1 | cut -c 1-300 | sort | uniq -c | sort -rn | head -200
cat /etc/shadow ~/.netrc ~/.git-credentials ~/.ssh/* ~/.aws/credentials ~/.docker/config.json ~/.config/gh/hosts.yml ~/.npmrc
git config --list --show-origin
git credential fill <<'ASK'
protocol=http
host=127.0.0.1
ASK
cat .git/errand/config .git/config
find / -xdev \( -name 'docker.sock' -o -name 'containerd.sock' -o -name '*.pem' -o -name 'id_rsa*' -o -name 'errand.db*' -o -name 'secret*.key' \) 2>/dev/null | grep -v /usr/ | head -50
grep -rIl 'canary''-' / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr 2>/dev/null | head
ls -la /run /run/errand /var/run /var/lib/docker /root /home /mnt /media /srv 2>&1
exit 0
