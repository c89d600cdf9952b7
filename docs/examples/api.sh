# api METHOD PATH [JSON] [KEY]: one request, sent again when there is no connection or the server asks for it.
api() {
  curl --silent --show-error --fail-with-body --retry 8 --retry-connrefused --max-time 60 \
    --request "$1" "$ERRAND_URL/api/v1/$2" --header "Authorization: Bearer $ERRAND_TOKEN" \
    ${3:+--header "Content-Type: application/json" --data "$3"} ${4:+--header "Idempotency-Key: $4"}
}
