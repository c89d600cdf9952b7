# Lays a repository into the work tree that it stands in; the pack with its objects is on standard input.
#
# Beside the agent's own repository in .git it makes another git directory, .git/errand, for checkpoints: with its own
# index, settings and objects, so that nothing the agent does to its repository gets in their way, nor they in the
# agent's. In the mode `mend` the files, and a repository of the agent that is still there, are left as they are.
mode=$1 branch=$2 base=$3 files=$4 format=$5
set -eu
own=.git/errand
agent() { GIT_DIR=.git git "$@"; }

# What the agent may have locked itself out of.
if [ "$mode" = mend ]; then
  chmod u+rwx "$PWD"
  if [ -d .git ] && [ ! -h .git ]; then chmod u+rwx .git; fi
  if [ -d "$own" ] && [ ! -h "$own" ]; then chmod -R u+rwX "$own"; fi
fi
objects=.git
if [ "$mode" = mend ]; then
  [ -d .git ] || rm -f .git
  rm -rf "$own"
  if [ -e .git/HEAD ]; then objects=$own; fi
fi
if [ "$objects" = .git ]; then
  git init --quiet --initial-branch="$branch" --object-format="$format"
  printf '[user]\n\tname = Errand\n\temail = errand@localhost\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n' >>.git/config
fi

mkdir -p "$own/objects/info" "$own/objects/pack" "$own/refs"
echo 'ref: refs/heads/none' >"$own/HEAD"
[ "$objects" = "$own" ] || echo ../../objects >"$own/objects/info/alternates"
{
  if [ "$format" = sha1 ]; then
    printf '[core]\n\trepositoryFormatVersion = 0\n'
  else
    printf '[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\tobjectFormat = %s\n[core]\n' "$format"
  fi
  printf '\tbare = false\n\texcludesFile = .git/info/exclude\n\thooksPath = /dev/null\n\tbigFileThreshold = 50m\n'
  printf '[user]\n\tname = Errand\n\temail = errand@localhost\n[pack]\n\twindow = 0\n\tthreads = 1\n[gc]\n\tauto = 0\n'
  printf '[advice]\n\taddEmbeddedRepo = false\n'
} >"$own/config"

if [ -n "$base$files" ]; then GIT_DIR=$objects git index-pack --stdin >/dev/null; fi
export GIT_DIR="$own" GIT_WORK_TREE=.
if [ -z "$files" ]; then
  git read-tree --empty
elif [ "$mode" = mend ]; then
  git read-tree "$files"
else
  git read-tree --reset -u "$files"
fi
echo "${files:--} $(git write-tree)" >"$own/parent"

if [ "$objects" = .git ] && [ -n "$base" ]; then
  agent update-ref "refs/heads/$branch" "$base"
  if [ "$base" = "$files" ] && [ "$mode" != mend ]; then
    cp "$own/index" .git/index
  else
    agent read-tree "$base"
    agent update-index --refresh >/dev/null || :
  fi
fi
