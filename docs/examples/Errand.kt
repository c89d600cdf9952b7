// Requests to an Errand server, each of which may be sent again. OkHttp, kotlinx.coroutines, kotlinx.serialization.
import java.io.IOException
import java.util.UUID
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.withContext
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import kotlinx.serialization.json.long
import kotlinx.serialization.json.put
import kotlinx.serialization.json.putJsonObject
import okhttp3.MediaType.Companion.toMediaType
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody

fun JsonObject.text(name: String): String? = (get(name) as? JsonPrimitive)?.contentOrNull

fun JsonObject.number(name: String): Long = getValue(name).jsonPrimitive.long

/** What the server refuses, and why: decide by [code], show the message. */
class Refused(val problem: JsonObject) : Exception(problem.text("detail")) {
  val code = problem.text("code")
}

/** The session is over: somebody has to sign in again. */
class SignedOut : Exception()

/** Gives the token for the next request; `renew`: the last one was refused. */
typealias Tokens = suspend (renew: Boolean) -> String

/** How long to wait before try number [n], from 0: half a second that doubles, up to 30 s, with jitter. */
fun backoff(n: Int): Duration = Random.nextLong(minOf(30_000L, 500L shl minOf(n, 6))).milliseconds

private val passing = setOf(408, 429, 500, 502, 503, 504)
private val json = "application/json".toMediaType()

class Errand(val url: String, val tokens: Tokens, val http: OkHttpClient = OkHttpClient()) {
  /** [key] names the wish, not the try: made once, when the user taps, and kept until there is an answer. */
  suspend fun create(repository: String, prompt: String, key: UUID): JsonObject =
    send(
      "POST",
      "tasks",
      buildJsonObject {
        putJsonObject("repository") { put("url", repository) }
        put("prompt", prompt)
      },
      key,
    )

  suspend fun task(id: String): JsonObject = send("GET", "tasks/$id")

  suspend fun say(id: String, content: String, key: UUID): JsonObject =
    send("POST", "tasks/$id/messages", buildJsonObject { put("content", content); put("mode", "steer") }, key)

  suspend fun cancel(id: String, key: UUID): JsonObject = send("POST", "tasks/$id/cancel", JsonObject(emptyMap()), key)

  suspend fun openQuestions(): List<JsonObject> {
    val all = mutableListOf<JsonObject>()
    var cursor: String? = ""
    while (cursor != null) {
      val page = send("GET", "questions?status=open" + if (cursor == "") "" else "&cursor=$cursor")
      page.getValue("items").jsonArray.mapTo(all) { it.jsonObject }
      cursor = page.text("nextCursor")
    }
    return all
  }

  /** First answer wins: the loser gets the problem `question_closed` with the answer that holds. */
  suspend fun answer(question: JsonObject, decision: String, choice: String?, key: UUID): JsonObject {
    val answer = buildJsonObject {
      put("revision", question.number("revision"))
      put("decision", decision)
      if (choice != null) put("choice", choice)
    }
    return send("POST", "questions/${question.text("id")}/answer", answer, key)
  }

  private suspend fun send(method: String, path: String, body: JsonObject? = null, key: UUID? = null): JsonObject {
    var renewed = false
    var tries = 0
    while (true) {
      var asked = Duration.ZERO
      try {
        val request =
          Request.Builder()
            .url("$url/api/v1/$path")
            .header("Authorization", "Bearer ${tokens(false)}")
            .apply { if (key != null) header("Idempotency-Key", key.toString()) }
            .method(method, body?.toString()?.toRequestBody(json))
            .build()
        val (status, text, after) =
          withContext(Dispatchers.IO) {
            http.newCall(request).execute().use { Triple(it.code, it.body.string(), it.header("Retry-After")) }
          }
        if (status in 200..299) return Json.parseToJsonElement(text).jsonObject
        if (status == 401 && !renewed) {
          renewed = true
          tokens(true)
          continue
        }
        if (status !in passing) throw Refused(Json.parseToJsonElement(text).jsonObject)
        asked = (after?.toIntOrNull() ?: 0).seconds
        if (tries == 8) throw IOException("the server answers $status")
      } catch (lost: IOException) {
        if (tries == 8) throw lost
      }
      delay(maxOf(asked, backoff(tries++)))
    }
  }
}
