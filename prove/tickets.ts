import { amountOnGateway } from './gateway.ts'
import type { Proof } from './harness.ts'
import { tryOnGateway } from './tickets/on-gateway.ts'
import { tryHosted } from './tickets/hosted.ts'

/** Of five tickets two are tried on a real S3 server, three at our own http door. */
const gatewayShare = 0.4

/** Tries tickets that nobody was given, or not for this, and compares all that is stored before and after. */
export const tickets: Proof = {
  name: 'tickets',
  means:
    'every replayed, expired, tampered or re-purposed ticket, and every other length, type, header or method, is refused and changes nothing, at our door and on S3',
  unit: 'tickets',
  amount: { ci: 200, full: 10_000 },
  shows: { gateway: 'on a real S3 server' },
  async run(context) {
    const onGateway = amountOnGateway(context, gatewayShare, 'tried')
    const { random } = context
    const [hosted, gateway] = await Promise.all([
      tryHosted({ ...context, random: random.fork('hosted') }, context.amount - onGateway),
      onGateway === 0 ? { attempts: 0, genuine: 0 } : tryOnGateway({ ...context, random: random.fork('gateway') }, onGateway),
    ])
    const figures = { hosted: hosted.attempts, gateway: gateway.attempts, genuine: hosted.genuine + gateway.genuine }
    return { runs: hosted.attempts + gateway.attempts, figures }
  },
}
