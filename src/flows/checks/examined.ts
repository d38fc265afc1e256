import type { RindleContext } from '../../context.ts'
import type { JailReport } from '../../core/ports/jail.ts'

/** What a check may look at. */
export interface Examined extends RindleContext {
  /** What decoders can do, found out once for all checks of a diagnosis: it takes a while. */
  readonly report: () => Promise<JailReport>
}
