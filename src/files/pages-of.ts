/** So many at a time of what is listed. Where the list breaks off, what came before is a page as well, and the failure comes after it. */
export async function* pagesOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<readonly T[]> {
  let page: T[] = []
  let failure: { readonly err: unknown } | null = null
  try {
    for await (const item of items) {
      page.push(item)
      if (page.length < size) continue
      yield page
      page = []
    }
  } catch (err) {
    failure = { err }
  }
  if (page.length > 0) yield page
  if (failure) throw failure.err
}
