import { RindleError } from '../../../core/errors.ts'

interface Manner {
  /** How long a scan may take, waiting for clamd included. Default 120. */
  readonly timeoutSeconds?: number
  /**
   * Larger files are not sent: `scan_limit_exceeded`. Default 100 MiB, which is what clamd itself takes by default; Debian's clamd.conf
   * takes 25 MiB. At most 2 GiB less a byte, more than which ClamAV cannot look through.
   */
  readonly maxBytes?: number
  /**
   * `hold`, the default, believes a clamd only that raises alarm about what lies over its limits; `pass` believes any clamd, and with it that
   * what it skipped is clean.
   */
  readonly overLimits?: 'hold' | 'pass'
}

/** Where clamd listens: TCP, on 127.0.0.1:3310 by default, or its Unix socket. */
export type ClamavOptions = Manner &
  (
    | { readonly host?: string; readonly port?: number; readonly socketPath?: never }
    | { readonly socketPath: string; readonly host?: never; readonly port?: never }
  )

export interface ClamavSettings extends Required<Manner> {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
}

const names = ['host', 'port', 'socketPath', 'timeoutSeconds', 'maxBytes', 'overLimits']
const mostBytes = 2 ** 31 - 1
/** A day; a timer cannot wait for more than 24 of them. */
const mostSeconds = 86_400

/** @throws RindleError `argument_invalid`, with every problem there is. */
export const settingsOf = (options: ClamavOptions): ClamavSettings => {
  const { host = '127.0.0.1', port = 3310, socketPath, timeoutSeconds = 120, maxBytes = 100 * 2 ** 20, overLimits = 'hold' } = options
  const whole = (value: number, most: number): boolean => Number.isSafeInteger(value) && value >= 1 && value <= most
  const problems = [
    ...Object.keys(options).flatMap((key) => (names.includes(key) ? [] : [`there is no option ${key}; there are ${names.join(', ')}`])),
    ...(socketPath !== undefined && (options.host !== undefined || options.port !== undefined)
      ? ['socketPath stands for itself: leave host and port out']
      : []),
    ...(socketPath === undefined || (typeof socketPath === 'string' && socketPath.startsWith('/'))
      ? []
      : ['socketPath must be the whole path of clamd’s LocalSocket']),
    ...(typeof host === 'string' && host !== '' ? [] : ['host must be a name or an address']),
    ...(whole(port, 65_535) ? [] : ['port must be clamd’s TCPSocket, a whole number up to 65535']),
    ...(whole(timeoutSeconds, mostSeconds) ? [] : [`timeoutSeconds must be a whole number of seconds, 1 to ${mostSeconds}`]),
    ...(whole(maxBytes, mostBytes) ? [] : [`maxBytes must be a whole number of bytes, 1 to ${mostBytes}`]),
    ...(overLimits === 'hold' || overLimits === 'pass' ? [] : ["overLimits must be 'hold' or 'pass'"]),
  ]
  if (problems.length > 0) throw new RindleError('argument_invalid', { argument: 'clamav', problem: problems.join('; ') })
  return { address: socketPath === undefined ? { host, port } : { path: socketPath }, timeoutSeconds, maxBytes, overLimits }
}
