/** A column of secrets that the Vault sealed, and how each row says what its secret is for. */
export interface SealedColumn {
  readonly table: string
  readonly column: string
  /** The columns that name a row; `purpose` is made of them. */
  readonly keys: ReadonlyArray<string>
  readonly purpose: (row: Readonly<Record<string, string>>) => string
}
