import type { RindleContext } from '../../context.ts'
import { RindleError } from '../../core/errors.ts'
import type { Slot } from '../../core/profile.ts'

/** @throws RindleError `slot_unknown` */
export const slotOf = (ctx: Pick<RindleContext, 'slots'>, name: string): Slot => {
  const slot = Object.hasOwn(ctx.slots, name) ? ctx.slots[name] : undefined
  if (!slot) throw new RindleError('slot_unknown', { slot: name, known: Object.keys(ctx.slots) })
  return slot
}
