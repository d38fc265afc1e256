/** Reads what ffmpeg says of how far it is, line by line. */
export interface ProgressReader {
  readonly add: (chunk: Buffer) => void
  /** Of the output, as far as it has come. */
  seconds(): number
}

const longestLine = 4_096

/** Tells `hear`, from 0 to 1, whenever ffmpeg's `-progress` says that it has come further in a file of so many milliseconds. */
export const progressIn = (durationMs: number, hear: (fraction: number) => void): ProgressReader => {
  let rest = ''
  let reachedMs = 0
  return {
    add(chunk) {
      const lines = `${rest}${chunk.toString('latin1')}`.split('\n')
      rest = (lines.pop() ?? '').slice(-longestLine)
      const found = lines.map((line) => /^out_time_us=(\d{1,15})$/.exec(line)).findLast((one) => one !== null)
      const ms = Number(found?.[1] ?? 0) / 1000
      if (ms <= reachedMs) return
      reachedMs = ms
      hear(Math.min(1, durationMs > 0 ? ms / durationMs : 0))
    },
    seconds: () => Math.round(reachedMs / 1000),
  }
}
