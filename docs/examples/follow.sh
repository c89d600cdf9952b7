# The events of a task ($1) after the number $2, each once, through lost connections, up to the end of a run.
seen=${2:-0} type=
ended() { [[ $type =~ ^task\.(completed|failed|cancelled)$ ]]; }
until ended; do
  while ! ended && IFS= read -r line; do
    case $line in
    "id: "*) seen=${line#id: } ;;
    "data: "*) type=$(jq -r '.event.type' <<<"${line#data: }") && echo "$seen $type" ;;
    "event: reset") seen=0 && break ;; # the log is a shorter one: from the beginning
    esac
  done < <(
    exec curl --silent --no-buffer --speed-time 40 --speed-limit 1 --header "Accept: text/event-stream" \
      --header "Last-Event-ID: $seen" --header "Authorization: Bearer $ERRAND_TOKEN" \
      "$ERRAND_URL/api/v1/tasks/$1/events"
  )
  kill $! 2>/dev/null || true
  ended || sleep 1
done
