source api.sh
api GET "tasks/$1/diff" | jq -r '.files[] | "\(.additions)\t\(.deletions)\t\(.path)"' # as git diff --numstat has it
api GET "tasks/$1/diff" | jq -r '.files[].id' | while read -r file; do
  api GET "tasks/$1/diff/$file" | jq -c '.hunks[0].lines[0]'
done
api GET "tasks/$1/patch" >task.patch # for git apply
cursor=
while [[ $cursor != null ]]; do
  page=$(api GET "tasks/$1/checkpoints?limit=1${cursor:+&cursor=$cursor}")
  jq -r '.items[].commit' <<<"$page"
  cursor=$(jq -r .nextCursor <<<"$page")
done
api GET "tasks/$1/log" | tail -n 5
