import { skipWithoutGateway } from '../test/services/bucket.ts'
import type { ProofContext } from './harness.ts'

/**
 * How much of the amount is for a real S3 server: `share` of it, or nothing where none is installed. Then it says that nothing is `done`
 * on one.
 *
 * @throws where none is installed, in a full run and with CI=true.
 */
export const amountOnGateway = (context: Pick<ProofContext, 'amount' | 'size' | 'note'>, share: number, done: string): number => {
  const { amount, size, note } = context
  if (!skipWithoutGateway) return Math.round(amount * share)
  if (size === 'full' || process.env['CI'] === 'true') throw new Error(skipWithoutGateway)
  note(`nothing is ${done} on a real server: ${skipWithoutGateway}`)
  return 0
}
