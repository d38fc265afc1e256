/** A clock that rings once it has run for so long altogether. */
interface Stopwatch {
  run(): void
  rest(): void
}

export const stopwatch = (ms: number, ring: () => void): Stopwatch => {
  let leftMs = ms
  let startedMs: number | null = null
  let timer: NodeJS.Timeout | undefined
  return {
    run: () => {
      if (startedMs !== null) return
      startedMs = performance.now()
      timer = setTimeout(ring, Math.max(0, leftMs))
    },
    rest: () => {
      clearTimeout(timer)
      if (startedMs !== null) leftMs -= performance.now() - startedMs
      startedMs = null
    },
  }
}
