# Makes a commit of the work tree that it stands in when that differs from the tree of `parent` (`-` for none).
# Its last line says `unchanged`, or `saved`, the commit and what changed. Lines before it are git's complaints.
parent=$1 message=$2
[ -f "$GIT_DIR/parent" ] || { echo 'the directory of checkpoints is gone'; exit 3; }
if [ -e "$GIT_DIR/index.lock" ]; then rm -f "$GIT_DIR/index.lock"; fi

base=
read -r known base <"$GIT_DIR/parent"
if [ "$known" != "$parent" ] || [ -z "$base" ]; then
  if [ "$parent" = - ]; then base=$(git hash-object -t tree /dev/null); else base=$(git rev-parse "$parent^{tree}"); fi || exit 3
fi

# Git takes a repository inside of the work tree for a submodule, or refuses it. Only what .gitmodules names is one;
# of any other the files are taken like all files: with one of them in the index, git no longer minds the .git beside.
adopt() {
  tab=$(printf '\t')
  nothing=$(git hash-object -w --stdin </dev/null)
  zero=$(echo "$nothing" | tr '0-9a-f' '0')
  submodules=$GIT_DIR/submodules nested=$GIT_DIR/nested
  git config --file .gitmodules --get-regexp '^submodule\..*\.path$' 2>/dev/null | cut -d ' ' -f 2- >"$submodules"
  : >"$nested"
  for round in 1 2 3 4 5 6; do
    cp "$nested" "$nested.before"
    # Names may contain line breaks: these change places with the NULs between names.
    {
      git diff-index --cached --no-renames --diff-filter=AT -z "$base" | tr '\n\0' '\0\n' |
        sed -n '/^:[0-7]* 160000 /{n;p;}'
      git ls-files --others --exclude-standard -z | tr '\n\0' '\0\n' | sed -n 's|/$||p'
    } | grep -avxFf "$submodules" >"$nested"
    if [ "$round" -gt 1 ] && cmp -s "$nested" "$nested.before"; then break; fi
    {
      sed "s|^|0 $zero$tab|" "$nested"
      sed "s|^|100644 $nothing$tab|; s|\$|/.errand|" "$nested"
    } | tr '\n\0' '\0\n' | git update-index -z --index-info
    complaint=$(git add --all --ignore-errors 2>&1)
    code=$?
  done
}

complaint=$(git add --all 2>&1)
code=$?
if [ $code -ne 0 ] || [ -n "$complaint" ]; then adopt; fi
if [ -n "$complaint" ]; then echo "$complaint"; fi
[ $code -le 1 ] || exit 4

tree=$(git write-tree) || exit 4
if [ "$tree" = "$base" ]; then
  echo unchanged
  exit 0
fi
if [ "$parent" = - ]; then set --; else set -- -p "$parent"; fi
commit=$(git commit-tree "$@" -m "$message" "$tree") || exit 4
changed=$(git diff-tree --shortstat -r -M -l200 "$base" "$tree")
echo "$commit $tree" >"$GIT_DIR/parent"
echo "saved $commit$changed"
