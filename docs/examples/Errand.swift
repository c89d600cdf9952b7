// Requests to an Errand server, each of which may be sent again.
import Foundation
#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

struct Repository: Codable, Sendable { var url: String; var ref: String? }

struct NewTask: Encodable, Sendable { var repository: Repository; var prompt: String }

struct ErrandTask: Decodable, Sendable {
  let id, status, title, branch, epoch: String
  let seq: Int
}

struct Answer: Codable, Sendable { var decision: String; var choice: String?; var text: String? }

struct NewAnswer: Encodable, Sendable { var revision: Int; var decision: String; var choice: String? }

struct Question: Decodable, Sendable {
  let id, taskId, kind, title, detail: String
  let choices: [String]
  let revision: Int
}

struct NewMessage: Encodable, Sendable { var content: String; var mode: String }

struct Page<Item: Decodable & Sendable>: Decodable, Sendable {
  let items: [Item]
  let nextCursor: String?
}

/// What the server refuses, and why: decide by `code`, show `detail`.
struct Problem: Error, Decodable, Sendable {
  let code, title, detail: String
  let status: Int
  let answer: Answer?
}

/// The server could not be reached, or failed, for all tries.
struct NoAnswer: Error {}

/// The session is over: somebody has to sign in again.
struct SignedOut: Error {}

/// Gives the token for the next request; `renew`: the last one was refused.
typealias Tokens = @Sendable (_ renew: Bool) async throws -> String

/// How long to wait before try number `n`, from 0: half a second that doubles, up to 30 s, with jitter.
func backoff(_ n: Int) -> Duration {
  .milliseconds(Int.random(in: 0...min(30_000, 500 << min(n, 6))))
}

struct Errand: Sendable {
  let url: URL
  let tokens: Tokens

  /// `key` names the wish, not the try: made once, when the user taps, and kept until there is an answer.
  func create(_ task: NewTask, key: UUID) async throws -> ErrandTask {
    try await send("POST", "tasks", task, key: key)
  }

  func task(_ id: String) async throws -> ErrandTask { try await send("GET", "tasks/\(id)") }

  func say(_ message: NewMessage, to id: String, key: UUID) async throws {
    try await perform("POST", "tasks/\(id)/messages", message, key: key)
  }

  func cancel(_ id: String, key: UUID) async throws -> ErrandTask {
    try await send("POST", "tasks/\(id)/cancel", [String: String](), key: key)
  }

  func openQuestions() async throws -> [Question] {
    var all: [Question] = []
    var query = "questions?status=open"
    while true {
      let page: Page<Question> = try await send("GET", query)
      all += page.items
      guard let cursor = page.nextCursor else { return all }
      query = "questions?status=open&cursor=\(cursor)"
    }
  }

  /// First answer wins: the loser gets the problem `question_closed` with the answer that holds.
  func answer(_ question: Question, _ decision: String, choice: String?, key: UUID) async throws {
    let answer = NewAnswer(revision: question.revision, decision: decision, choice: choice)
    try await perform("POST", "questions/\(question.id)/answer", answer, key: key)
  }

  private func send<A: Decodable>(_ method: String, _ path: String, _ body: (any Encodable & Sendable)? = nil, key: UUID? = nil) async throws -> A {
    try JSONDecoder().decode(A.self, from: await perform(method, path, body, key: key))
  }

  @discardableResult
  private func perform(_ method: String, _ path: String, _ body: (any Encodable & Sendable)? = nil, key: UUID? = nil) async throws -> Data {
    var renewed = false
    for n in 0...8 {
      var request = URLRequest(url: URL(string: "api/v1/\(path)", relativeTo: url)!, timeoutInterval: 30)
      request.httpMethod = method
      if let body {
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONEncoder().encode(body)
      }
      if let key { request.setValue(key.uuidString, forHTTPHeaderField: "Idempotency-Key") }
      var answer: (data: Data, response: URLResponse)?
      do {
        request.setValue("Bearer \(try await tokens(false))", forHTTPHeaderField: "Authorization")
        answer = try await URLSession.shared.data(for: request)
      } catch let error as SignedOut {
        throw error
      } catch {
        try Task.checkCancellation()
      }
      let response = answer?.response as? HTTPURLResponse
      if let response, let data = answer?.data {
        if (200..<300).contains(response.statusCode) { return data }
        if response.statusCode == 401, !renewed {
          renewed = true
          _ = try await tokens(true)
          continue
        }
        if ![408, 429, 500, 502, 503, 504].contains(response.statusCode) {
          throw try JSONDecoder().decode(Problem.self, from: data)
        }
      }
      let asked = Int(response?.value(forHTTPHeaderField: "Retry-After") ?? "") ?? 0
      try await Task.sleep(for: max(.seconds(asked), backoff(n)))
    }
    throw NoAnswer()
  }
}
