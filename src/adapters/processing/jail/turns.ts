/** At most so many at a time, first come first served; who is told to stop while waiting leaves the line. */
export const createTurns = (width: number): { enter(signal: AbortSignal | undefined): Promise<() => void> } => {
  const line: (() => void)[] = []
  let inside = 0
  const leave = (): void => {
    const next = line.shift()
    if (next) next()
    else inside -= 1
  }
  return {
    enter: async (signal) => {
      signal?.throwIfAborted()
      if (inside < width) {
        inside += 1
        return leave
      }
      const turn = Promise.withResolvers<void>()
      const stop = (): void => {
        const at = line.indexOf(turn.resolve)
        if (at >= 0) line.splice(at, 1)
        turn.reject(signal?.reason)
      }
      signal?.addEventListener('abort', stop, { once: true })
      line.push(turn.resolve)
      await turn.promise.finally(() => signal?.removeEventListener('abort', stop))
      return leave
    },
  }
}
