import { skipWithoutGateway } from '../test/services/bucket.ts'
import type { Proof } from './harness.ts'
import { tryOnGateway } from './tickets/gateway.ts'
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
  async run(context) {
    const withGateway = !skipWithoutGateway
    if (!withGateway && (context.size === 'full' || process.env['CI'] === 'true')) throw new Error(String(skipWithoutGateway))
    if (!withGateway) context.note(`nothing is tried on a real server: ${String(skipWithoutGateway)}`)
    const onGateway = withGateway ? Math.round(context.amount * gatewayShare) : 0
    const { random } = context
    const [hosted, gateway] = await Promise.all([
      tryHosted({ ...context, random: random.fork('hosted') }, context.amount - onGateway),
      onGateway === 0 ? { attempts: 0, genuine: 0 } : tryOnGateway({ ...context, random: random.fork('gateway') }, onGateway),
    ])
    const figures = { hosted: hosted.attempts, gateway: gateway.attempts, genuine: hosted.genuine + gateway.genuine }
    return { runs: hosted.attempts + gateway.attempts, figures }
  },
}
