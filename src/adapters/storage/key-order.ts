/** Compares keys as object stores list them: by their bytes in UTF-8. */
export const byKey = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))
