/** Waits for `work`, but no longer than that, and whatever becomes of it: for goodbyes to a server that may not answer any more. */
export const atMost = async (ms: number, work: Promise<unknown> | undefined): Promise<void> => {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([work?.catch(() => undefined), late])
  clearTimeout(timer)
}
