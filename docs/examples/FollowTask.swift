// Every event of a task, once and in order, through lost connections and restarts of the server.
import Foundation
#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// How far somebody has read: kept together with what is shown. `seq: 0` begins at the beginning.
struct Place: Codable, Sendable {
  let id: String
  var seq = 0
  var epoch: String?
  var status = "queued"
}

/// What is known of an event here; a client decodes what it shows. Types may be added: pass over what is not known.
struct Event: Decodable, Sendable {
  let type: String
  let messageId, toolCallId, tool, questionId, title, reason, message, branch, commit: String?
}

enum News: Sendable {
  case event(Event, seq: Int)
  /// Half-written words of the model, or output of a running command: all of it so far. An event replaces it.
  case preview(item: String, text: String)
  /// The server has another log now: forget what was shown and show this.
  case snapshot(ErrandTask)
  /// Only while this is true is it certain that what is shown is new.
  case live(Bool)
}

private struct ServerFrame: Decodable {
  let type: String
  let stream, epoch, reason, item, text, code: String?
  let seq, offset: Int?
  let event: Event?
  let heads: [String: Int]?
}

private struct ClientFrame: Encodable {
  let type: String
  var token, stream, epoch: String?
  var after: Int?
}

/// Ends when the task has ended. Cancel the task that iterates when the app leaves the screen, and begin again from
/// the kept place when it comes back.
func follow(_ errand: Errand, from place: Place) -> AsyncThrowingStream<News, any Error> {
  AsyncThrowingStream { news in
    let following = Task {
      let follower = Follower(errand: errand, place: place, news: news)
      do {
        try await follower.run()
        news.finish()
      } catch {
        news.finish(throwing: error)
      }
    }
    news.onTermination = { _ in following.cancel() }
  }
}

private struct TokenRefused: Error {}

private actor Follower {
  let errand: Errand
  let news: AsyncThrowingStream<News, any Error>.Continuation
  var place: Place
  var texts: [String: String] = [:]
  var isLive = false
  var failures = 0
  var heard = ContinuousClock.now

  init(errand: Errand, place: Place, news: AsyncThrowingStream<News, any Error>.Continuation) {
    (self.errand, self.place, self.news) = (errand, place, news)
  }

  var stream: String { "task:\(place.id)" }
  var isFinal: Bool { ["completed", "failed", "cancelled"].contains(place.status) }

  func run() async throws {
    var renew = false
    while true {
      do {
        let hasEnded = try await listen(to: open(token: try await errand.tokens(renew)))
        if hasEnded { return }
      } catch is TokenRefused {
        if renew { throw SignedOut() }
        renew = true
        continue
      } catch let error as SignedOut {
        throw error
      } catch let error as Problem {
        throw error
      } catch {
        // Whatever broke: the place is known, and the next connection goes on from there.
        try Task.checkCancellation()
      }
      (renew, isLive) = (false, false)
      news.yield(.live(false))
      try await Task.sleep(for: backoff(failures))
      failures += 1
    }
  }

  private func open(token: String) -> URLSessionWebSocketTask {
    let path = URL(string: "api/v1/stream", relativeTo: errand.url)!
    var address = URLComponents(url: path, resolvingAgainstBaseURL: true)!
    address.scheme = address.scheme == "https" ? "wss" : "ws"
    var request = URLRequest(url: address.url!)
    request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
    let socket = URLSession.shared.webSocketTask(with: request)
    socket.maximumMessageSize = 4 << 20
    socket.resume()
    return socket
  }

  /// True when the task has ended; a broken connection throws.
  private func listen(to socket: URLSessionWebSocketTask) async throws -> Bool {
    (heard, texts) = (.now, [:])
    // A connection can be dead without knowing it: ask after 10 s of silence, give up after 20.
    let watch = Task {
      while !Task.isCancelled {
        try await Task.sleep(for: .seconds(1))
        let silence = heard.duration(to: .now)
        if silence > .seconds(20) { socket.cancel() }
        if silence > .seconds(10) && isLive { try await send(ClientFrame(type: "ping"), to: socket) }
      }
    }
    defer {
      watch.cancel()
      socket.cancel(with: .goingAway, reason: nil)
    }
    return try await withTaskCancellationHandler {
      try await subscribe(socket)
      while true {
        let message: URLSessionWebSocketTask.Message
        do {
          message = try await socket.receive()
        } catch {
          let status = (socket.response as? HTTPURLResponse)?.statusCode
          throw status == 401 || socket.closeCode.rawValue == 4401 ? TokenRefused() : error
        }
        guard case .string(let text) = message else { continue }
        heard = .now
        for frame in try decode(text) {
          try await handle(frame, from: socket)
          if isLive && isFinal { return true }
        }
      }
    } onCancel: {
      socket.cancel()
    }
  }

  /// A message holds one frame or an array of them.
  private func decode(_ text: String) throws -> [ServerFrame] {
    let data = Data(text.utf8)
    return text.hasPrefix("[")
      ? try JSONDecoder().decode([ServerFrame].self, from: data)
      : [try JSONDecoder().decode(ServerFrame.self, from: data)]
  }

  private func send(_ frame: ClientFrame, to socket: URLSessionWebSocketTask) async throws {
    try await socket.send(.string(String(decoding: JSONEncoder().encode(frame), as: UTF8.self)))
  }

  private func subscribe(_ socket: URLSessionWebSocketTask) async throws {
    isLive = false
    try await send(ClientFrame(type: "subscribe", stream: stream, epoch: place.epoch, after: place.seq), to: socket)
  }

  private func handle(_ frame: ServerFrame, from socket: URLSessionWebSocketTask) async throws {
    switch frame.type {
    case "event":
      guard let event = frame.event, let seq = frame.seq, seq > place.seq else { return }
      if seq == place.seq + 1 { take(event, seq) } else if isLive { try await subscribe(socket) }
    case "preview":
      guard let item = frame.item, let text = frame.text, let offset = frame.offset else { return }
      // Offsets count UTF-16. Where the beginning was missed, nothing is shown until the next beginning.
      let before = offset == 0 ? "" : texts[item]
      guard let before, before.utf16.count == offset else { return }
      texts[item] = before + text
      news.yield(.preview(item: item, text: before + text))
    case "subscribed":
      place.epoch = frame.epoch
      isLive = true
      failures = 0
      news.yield(.live(true))
    case "pong":
      // The newest event was lost on the way, and nothing after it would have told.
      if isLive, let head = frame.heads?[stream], head > place.seq { try await subscribe(socket) }
    case "reset":
      if frame.reason != "slow" {
        let task = try await errand.task(place.id)
        place = Place(id: task.id, seq: task.seq, epoch: task.epoch, status: task.status)
        news.yield(.snapshot(task))
      }
      try await subscribe(socket)
    case "error" where frame.code == "not_found":
      _ = try await errand.task(place.id)
    default:
      break
    }
  }

  private func take(_ event: Event, _ seq: Int) {
    place.seq = seq
    if event.type == "task.queued" { place.status = "queued" }
    if ["task.completed", "task.failed", "task.cancelled"].contains(event.type) {
      place.status = String(event.type.dropFirst("task.".count))
    }
    news.yield(.event(event, seq: seq))
  }
}
