source api.sh
# Read before the model's next call. With `interrupt`, a command that runs is ended for it.
message='{"content": "Round up, please.", "mode": "steer", "interrupt": false}'
id=$(api POST "tasks/$1/messages" "$message" "$(openssl rand -hex 16)" | jq -r .id)
api GET "tasks/$1/messages" | jq -r '.pending[].content'
api DELETE "tasks/$1/messages/$id" # as long as the model has not seen it
api POST "tasks/$1/cancel" '{}' "$(openssl rand -hex 16)" | jq -r .status
