import { type Refusal, refusal } from '../../core/admission.ts'
import { type AskAppCode, oneLine } from '../../core/app-code.ts'
import { isRindleError, RindleError } from '../../core/errors.ts'
import type { ScanResult, Scanner } from '../../core/ports/scanner.ts'

/**
 * Has each scanner look at the file, in their order, until one finds what nobody has pardoned. It fails closed: whoever does not say that the
 * file is clean has not said so.
 *
 * @returns the verdict; null when all of them let it go on.
 * @throws RindleError `scanner_unavailable` when one does not answer, or not in a way that can be understood.
 */
export async function scanFile(
  scanners: readonly Scanner[],
  { ask, isPardoned }: { readonly ask: AskAppCode; readonly isPardoned: (verdict: Refusal) => boolean },
): Promise<Refusal | null> {
  for (const scanner of scanners) {
    const verdict = await scan(scanner, ask)
    if (verdict && (isNameless(verdict) || !isPardoned(verdict))) return verdict
  }
  return null
}

const nameless = 'something without a name'
/** A pardon is about one threat: it cannot say which of those without a name it meant. */
const isNameless = ({ details }: Refusal): boolean => 'threat' in details && details.threat === nameless

const scan = async (scanner: Scanner, ask: AskAppCode): Promise<Refusal | null> => {
  const { name } = scanner
  const answer = await ask(scanner.timeoutSeconds, (file) => scanner.scan(file))
  if (!answer.ok) {
    const { problem, cause } = answer
    if (isRindleError(cause) && cause.code === 'scan_limit_exceeded')
      return refusal('scan_limit_exceeded', { scanner: name, maxBytes: wholeOrNull(cause.details.maxBytes) })
    const own = isRindleError(cause) && cause.code === 'scanner_unavailable'
    throw new RindleError('scanner_unavailable', { scanner: name, problem }, { cause: own ? cause.cause : cause })
  }
  const found: ScanResult | null | undefined = answer.value
  if (found?.clean === true) return null
  if (found?.clean === false && typeof found.threat === 'string')
    return refusal('malware_found', { scanner: name, threat: oneLine(found.threat) || nameless })
  throw new RindleError('scanner_unavailable', { scanner: name, problem: 'it said neither that the file is clean nor what it found' })
}

const wholeOrNull = (value: unknown): number | null => (typeof value === 'number' && Number.isSafeInteger(value) ? value : null)
