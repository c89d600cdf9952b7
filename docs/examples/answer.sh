source api.sh
# Allows what is asked, whatever it is: an example, and no way to treat approvals.
api GET "questions?status=open" | jq -c '.items[]' | while read -r question; do
  jq -r '"\(.kind): \(.title)\n\(.detail)"' <<<"$question"
  answer=$(jq '{revision, decision: "allow"} + if .choices == [] then {} else {choice: .choices[0]} end' <<<"$question")
  api POST "questions/$(jq -r .id <<<"$question")/answer" "$answer" "$(openssl rand -hex 16)" | jq -c .answer
done
