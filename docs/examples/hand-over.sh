source api.sh
wish=$(jq -n --arg url "$1" --arg prompt "$2" '{repository: {url: $url}, prompt: $prompt, tags: ["docs"]}')
key=$(openssl rand -hex 16)
api POST tasks "$wish" "$key" | jq -r .id
