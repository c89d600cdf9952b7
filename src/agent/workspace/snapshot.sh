# Makes a commit of the work tree that it stands in, on top of `parent` (`-` for none), when that differs from the tree of
# `parent`, or from the tree `ahead` if there is one.
# Its last line says `unchanged`, or `saved`, the commit and what changed. Lines before it are git's complaints. The
# first $outgoing_limit bytes of the pack with what `parent` lacks are left in the file `outgoing`.
parent=$1 message=$2 outgoing_limit=$3 ahead=$4
[ -f "$GIT_DIR/parent" ] || { echo 'the directory of checkpoints is gone'; exit 3; }
# A pipe in place of one of its files would keep git waiting, and a link would lead it elsewhere.
for file in HEAD config index parent complaint outgoing submodules nested nested.before; do
  if [ -h "$GIT_DIR/$file" ] || { [ -e "$GIT_DIR/$file" ] && [ ! -f "$GIT_DIR/$file" ]; }; then
    echo "$file in the directory of checkpoints is no file"
    exit 3
  fi
done
if [ -e "$GIT_DIR/index.lock" ]; then rm -f "$GIT_DIR/index.lock"; fi

# The tree that index and `parent` had in common when the last snapshot ended, if it came to its end.
known='' base=''
read -r known base <"$GIT_DIR/parent"
: >"$GIT_DIR/parent"
in_step=
if [ "$known" = "$parent" ] && [ -n "$base" ]; then
  in_step=yes
elif [ "$parent" = - ]; then
  base=$(git hash-object -t tree /dev/null) || exit 3
else
  base=$(git rev-parse "$parent^{tree}") || exit 3
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
    git add --all --ignore-errors 2>"$complaint"
    code=$?
  done
  in_step=
}

complaint=$GIT_DIR/complaint
news=$(git add --all --verbose 2>"$complaint")
code=$?
if [ $code -ne 0 ] || [ -s "$complaint" ]; then adopt; fi
if [ -s "$complaint" ]; then cat "$complaint"; fi
[ $code -le 1 ] || exit 4

tree=$base
if [ -n "$news" ] || [ -z "$in_step" ]; then tree=$(git write-tree) || exit 4; fi
if [ "$tree" = "$base" ]; then echo "$parent $base" >"$GIT_DIR/parent"; fi
if [ "$tree" = "${ahead:-$base}" ]; then
  echo unchanged
  exit 0
fi
if [ "$parent" = - ]; then set --; else set -- -p "$parent"; fi
commit=$(git commit-tree "$@" -m "$message" "$tree") || exit 4
changed=$(git diff-tree --shortstat -r -M -l200 "$base" "$tree")
{
  echo "$commit"
  if [ "$parent" != - ]; then echo "^$parent"; fi
} | git pack-objects --revs --stdout --quiet --thin --delta-base-offset | head -c "$outgoing_limit" >"$GIT_DIR/outgoing" || rm -f "$GIT_DIR/outgoing"
echo "$commit $tree" >"$GIT_DIR/parent"
echo "saved $commit$changed"
