// Every event of a task, once and in order, through lost connections and restarts of the server.
import java.io.IOException
import java.util.concurrent.TimeUnit
import kotlin.time.Duration.Companion.milliseconds
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.put
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.WebSocket
import okhttp3.WebSocketListener

/** How far somebody has read: kept together with what is shown. `seq = 0` begins at the beginning. */
data class Place(val id: String, val seq: Long = 0, val epoch: String? = null, val status: String = "queued")

sealed interface News {
  /** [place] is where the reader is after it. Types may be added: pass over what is not known. */
  data class Event(val event: JsonObject, val place: Place) : News

  /** Half-written words of the model, or output of a running command: all of it so far. An event replaces it. */
  data class Preview(val item: String, val text: String) : News

  /** The server has another log now: forget what was shown and show this. */
  data class Snapshot(val task: JsonObject, val place: Place) : News

  /** Only while this is true is it certain that what is shown is new. */
  data class Live(val isLive: Boolean) : News
}

private class Closed(val code: Int) : IOException("closed with $code")

private val finals = setOf("task.completed", "task.failed", "task.cancelled")
private val ping = buildJsonObject { put("type", "ping") }

/**
 * Ends when the task has ended. Collect it while the screen is started (`repeatOnLifecycle`), and begin again from the
 * kept place when it comes back.
 */
fun follow(errand: Errand, from: Place): Flow<News> = flow { Follower(errand, from, this).run() }

private class Follower(val errand: Errand, var place: Place, val news: FlowCollector<News>) {
  val stream = "task:${place.id}"
  val http: OkHttpClient = errand.http.newBuilder().readTimeout(0, TimeUnit.SECONDS).build()
  val texts = mutableMapOf<String, String>()
  var isLive = false
  var failures = 0
  val isFinal
    get() = "task.${place.status}" in finals

  suspend fun run() {
    var renew = false
    while (true) {
      var code = 1006
      try {
        if (listen(errand.tokens(renew))) return
      } catch (lost: Closed) {
        code = lost.code
      } catch (_: IOException) {
        // Whatever broke: the place is known, and the next connection goes on from there.
      }
      isLive = false
      news.emit(News.Live(false))
      if (code == 4401 && renew) throw SignedOut()
      renew = code == 4401
      if (!renew) delay(backoff(failures++))
    }
  }

  /** True when the task has ended; a broken connection throws. */
  private suspend fun listen(token: String): Boolean {
    val messages = Channel<String>(Channel.UNLIMITED)
    val listener =
      object : WebSocketListener() {
        override fun onMessage(webSocket: WebSocket, text: String) {
          messages.trySend(text)
        }

        override fun onClosing(webSocket: WebSocket, code: Int, reason: String) {
          messages.close(Closed(code))
        }

        override fun onFailure(webSocket: WebSocket, t: Throwable, response: Response?) {
          messages.close(Closed(if (response?.code == 401) 4401 else 1006))
        }
      }
    val request = Request.Builder().url("${errand.url}/api/v1/stream").header("Authorization", "Bearer $token").build()
    val socket = http.newWebSocket(request, listener)
    try {
      texts.clear()
      subscribe(socket)
      var silences = 0
      while (true) {
        // A connection can be dead without knowing it: ask after 10 s of silence, give up after 20.
        val text = withTimeoutOrNull(10_000.milliseconds) { messages.receive() }
        if (text == null) {
          if (++silences == 2) throw IOException("the server fell silent")
          socket.send(ping.toString())
          continue
        }
        silences = 0
        // A message holds one frame or an array of them.
        val message = Json.parseToJsonElement(text)
        for (frame in message as? JsonArray ?: listOf(message)) {
          handle(frame.jsonObject, socket)
          if (isLive && isFinal) return true
        }
      }
    } finally {
      socket.cancel()
    }
  }

  private fun subscribe(socket: WebSocket) {
    isLive = false
    val frame = buildJsonObject {
      put("type", "subscribe")
      put("stream", stream)
      put("after", place.seq)
      place.epoch?.let { put("epoch", it) }
    }
    socket.send(frame.toString())
  }

  private suspend fun handle(frame: JsonObject, socket: WebSocket) {
    when (frame.text("type")) {
      "event" -> {
        val seq = frame.number("seq")
        if (seq == place.seq + 1) take(frame.getValue("event").jsonObject, seq)
        else if (seq > place.seq && isLive) subscribe(socket)
      }
      "preview" -> {
        // Where the beginning was missed, nothing is shown until the next beginning.
        val item = frame.text("item") ?: return
        val offset = frame.number("offset")
        val before = if (offset == 0L) "" else texts[item]
        if (before?.length?.toLong() != offset) return
        texts[item] = before + frame.text("text")
        news.emit(News.Preview(item, texts.getValue(item)))
      }
      "subscribed" -> {
        place = place.copy(epoch = frame.text("epoch"))
        isLive = true
        failures = 0
        news.emit(News.Live(true))
      }
      // The newest event was lost on the way, and nothing after it would have told.
      "pong" -> {
        val heads = frame.getValue("heads").jsonObject
        if (isLive && stream in heads && heads.number(stream) > place.seq) subscribe(socket)
      }
      "reset" -> {
        if (frame.text("reason") != "slow") {
          val task = errand.task(place.id)
          place = Place(place.id, task.number("seq"), task.text("epoch"), task.text("status") ?: place.status)
          news.emit(News.Snapshot(task, place))
        }
        subscribe(socket)
      }
      // The task was deleted: asking for it tells so.
      "error" -> if (frame.text("code") == "not_found") errand.task(place.id)
    }
  }

  private suspend fun take(event: JsonObject, seq: Long) {
    val type = event.text("type")
    val status = if (type == "task.queued" || type in finals) type?.removePrefix("task.") else null
    place = place.copy(seq = seq, status = status ?: place.status)
    news.emit(News.Event(event, place))
  }
}
