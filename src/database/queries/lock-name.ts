import { lockText } from '../carriers/carrier.ts'
import type { Queryable } from '../database.ts'
import { executorOf } from '../queryable.ts'

/**
 * Waits for the advisory lock of that name and holds it until the transaction ends. What happened meanwhile is seen by the next statement where
 * the isolation that is returned is `read committed`.
 */
export async function lockName(tx: Queryable, name: string): Promise<string> {
  const { rows } = await executorOf(tx).execute(lockText, [name])
  return String(rows[0]?.['isolation'])
}
