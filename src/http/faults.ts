/**
 * Why a value does not fit a schema, in words that a client can show.
 *
 * Owns: turning the issues of a decoder into field errors, at most twenty of them.
 * The values themselves are never repeated: they may be secrets, or megabytes.
 */
import { type ParseResult, Option, SchemaAST } from "effect"
import type { FieldError } from "./api/Problem.ts"

const mostFaults = 20

const keywords: Partial<Record<SchemaAST.AST["_tag"], string>> = {
  StringKeyword: "a string",
  NumberKeyword: "a number",
  BooleanKeyword: "true or false",
  TupleType: "an array",
  TypeLiteral: "an object"
}

const literal = (ast: SchemaAST.AST): string | undefined =>
  ast._tag === "Literal" && typeof ast.literal === "string" ? ast.literal : undefined

const literals = (ast: SchemaAST.AST): ReadonlyArray<string> | undefined => {
  const values = ast._tag === "Union" ? ast.types.map(literal) : [literal(ast)]
  return values.every((value) => value !== undefined) ? values : undefined
}

const describe = (ast: SchemaAST.AST): string => {
  const choices = literals(ast)
  if (choices !== undefined) return choices.length === 1 ? `"${choices[0]}"` : `one of ${choices.join(", ")}`
  if (Option.contains(SchemaAST.getIdentifierAnnotation(ast), "Int")) return "a whole number"
  if (ast._tag === "Transformation" || ast._tag === "Refinement") {
    return Option.getOrElse(SchemaAST.getDescriptionAnnotation(ast), () => describe(ast.from))
  }
  return keywords[ast._tag] ?? Option.getOrElse(SchemaAST.getIdentifierAnnotation(ast), () => "something else")
}

const ownMessage = (issue: ParseResult.ParseIssue, ast: SchemaAST.AST): Option.Option<string> =>
  Option.flatMap(SchemaAST.getMessageAnnotation(ast), (message) => {
    const text = message(issue)
    return typeof text === "string" ? Option.some(text) : Option.none()
  })

const expectation = (issue: ParseResult.ParseIssue, ast: SchemaAST.AST): string =>
  Option.getOrElse(ownMessage(issue, ast), () => `must be ${describe(ast)}`)

const wantsNull = (issue: ParseResult.ParseIssue): boolean =>
  issue._tag === "Type" && issue.ast._tag === "Literal" && issue.ast.literal === null

type Path = ReadonlyArray<PropertyKey>

const collect = (issue: ParseResult.ParseIssue, path: Path, into: Array<FieldError>): void => {
  if (into.length >= mostFaults) return
  const add = (message: string) => into.push({ path: path.map(String).join(".").slice(0, 200), message })
  switch (issue._tag) {
    case "Pointer":
      return collect(issue.issue, path.concat(issue.path), into)
    case "Missing":
      add("is missing")
      return
    case "Unexpected":
      add("is not known here")
      return
    case "Type":
    case "Forbidden":
      add(expectation(issue, issue.ast))
      return
    case "Refinement":
      if (issue.kind === "From") return collect(issue.issue, path, into)
      add(expectation(issue, issue.ast))
      return
    case "Transformation": {
      const message = ownMessage(issue, issue.ast)
      if (Option.isNone(message)) return collect(issue.issue, path, into)
      add(message.value)
      return
    }
    case "Composite": {
      if (literals(issue.ast) !== undefined || Option.isSome(ownMessage(issue, issue.ast))) {
        add(expectation(issue, issue.ast))
        return
      }
      const inner = "_tag" in issue.issues ? [issue.issues] : issue.issues
      // Where null would do as well, what is wrong with the value itself says more.
      const telling = inner.filter((one) => !wantsNull(one))
      for (const one of telling.length > 0 ? telling : inner) collect(one, path, into)
    }
  }
}

export const faults = (issue: ParseResult.ParseIssue): ReadonlyArray<FieldError> => {
  const found: Array<FieldError> = []
  collect(issue, [], found)
  return found
}

/** The first faults in one sentence. */
export const sentence = (errors: ReadonlyArray<FieldError>): string => {
  const words = errors
    .slice(0, 3)
    .map(({ path, message }) => (path === "" ? `The body ${message}` : `${path} ${message}`))
  return `${words.join("; ")}${errors.length > 3 ? "; and more" : ""}.`
}
