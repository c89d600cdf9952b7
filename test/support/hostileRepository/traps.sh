# Sets up all that git, an agent or an editor might run for somebody who comes later, and links that lead elsewhere.
mark="$1"
trap_script="touch $mark /tmp/trap-ran"
mkdir -p .git/hooks
for hook in pre-commit post-commit pre-push post-checkout reference-transaction post-index-change pre-receive update; do
  printf '#!/bin/sh\n%s\n' "$trap_script" >.git/hooks/$hook
  chmod +x .git/hooks/$hook
done
git config core.fsmonitor "$trap_script"
git config core.sshCommand "$trap_script"
git config core.pager "$trap_script"
git config filter.trap.clean "$trap_script; cat"
git config filter.trap.smudge "$trap_script; cat"
git config diff.trap.textconv "$trap_script; cat"
git config uploadpack.packObjectsHook "$trap_script"
git config remote.origin.url "ext::sh -c '$trap_script'"
git config protocol.ext.allow always
git config --file .git/errand/config core.fsmonitor "$trap_script"
git config --file .git/errand/config core.hooksPath "$PWD/.git/hooks"
git config --file .git/errand/config uploadpack.packObjectsHook "$trap_script"
echo /etc >.git/objects/info/alternates
ln -s / everything
ln -s /etc/passwd passwd-link
mkfifo a-pipe
(setsid sh -c 'while :; do echo still here >>/workspace/persistent; sleep 0.1; done' >/dev/null 2>&1 &)
git tag stolen; git branch main2; git update-ref refs/heads/errand/other HEAD
echo 'let us see' >work.txt
ps -e -o pid,args
