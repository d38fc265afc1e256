import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { isRindleError, RindleError } from '../core/errors.ts'
import { unplayed, usualPlayedLimits } from '../core/played.ts'
import type { Facts, Jail, MadeVariant, Visit } from '../core/ports/jail.ts'
import { createSettableClock } from './clock.ts'
import { faultyJail, type JailFaultKind } from './faulty-jail.ts'
import { pictureFacts } from '../core/variant-facts.ts'

const folder = mkdtempSync(join(tmpdir(), 'rindle-faulty-jail-'))
after(() => rmSync(folder, { recursive: true }))

const wish = (name: string): Visit['variants'][number] => ({
  name,
  recipe: {
    ...{ kind: 'image', mode: 'fit', width: 8, height: 8, format: 'webp', quality: 80, effort: 4 },
    ...{ background: '#ffffff', focal: { x: 0.5, y: 0.5 }, animated: false },
  },
})
const visitOf = (more: Partial<Visit> = {}): Visit => ({
  ...{ path: join(folder, 'file'), folder, purpose: 'gate', profileKind: 'media', filename: 'a.png' },
  ...{ allowMime: ['image/png'], allowExtensions: null, metadata: 'keep', svg: 'refuse', variants: [wish('one'), wish('two')] },
  limits: { maxPixels: 1, maxSidePixels: 1, maxFrames: 1, ...usualPlayedLimits, gateTimeoutMs: 20_000, timeoutMs: 60_000 },
  ...more,
})

/** Decoders that write ten bytes a variant. */
const openStand = (kind: JailFaultKind) => {
  const seen: string[] = []
  const clock = createSettableClock()
  const made = (name: string): MadeVariant => {
    const path = join(folder, name)
    writeFileSync(path, '0123456789')
    return {
      name,
      ok: true,
      path,
      contentType: 'image/webp',
      extension: 'webp',
      ...pictureFacts({ width: 1, height: 1 }),
      byteSize: 10,
      sha256: '',
    }
  }
  const sound: Jail = {
    async visit({ variants }) {
      seen.push('visit')
      const facts: Facts = {
        ...{ kind: 'image', contentType: 'image/png', extension: 'png', width: 1, height: 1, frames: 1, hasAlpha: false },
        ...{ ...unplayed, placeholder: null, dominantColor: null },
      }
      const figures = { gateCpuMs: 0, cpuMs: 0 }
      return { verdict: 'pass', facts, rewritten: null, variants: variants.map(({ name }) => made(name)), figures }
    },
    warm: async () => void seen.push('warm'),
    async report() {
      seen.push('report')
      return { walls: [], versions: {}, decodes: [], missing: {} }
    },
    close: async () => void seen.push('close'),
  }
  const faulty = faultyJail({ plan: ({ index }) => (index === 0 ? kind : null), slowMs: 5000, clock })
  return { jail: faulty.jail(sound), seen, clock, log: faulty.log }
}

const hasCode = (code: string) => (err: unknown) => isRindleError(err) && err.code === code

describe('decoders that go wrong', () => {
  it('cannot be started', async () => {
    const { jail, seen, log } = openStand('fail_before')
    await assert.rejects(jail.visit(visitOf()), hasCode('decoder_unavailable'))
    await jail.visit(visitOf())
    assert.deepEqual(seen, ['visit'])
    assert.deepEqual(log, [{ port: 'jail', index: 0, operation: 'visit', purpose: 'gate', variants: 2, kind: 'fail_before' }])
  })

  it('are killed, with nothing to show', async () => {
    const { jail, seen } = openStand('killed')
    await assert.rejects(jail.visit(visitOf()), hasCode('decoder_killed'))
    assert.deepEqual(seen, [])
  })

  for (const [kind, code] of [
    ['hang', 'decoder_killed'],
    ['starved', 'decoder_starved'],
  ] as const)
    it(`take until their time is over: ${kind}`, async () => {
      for (const [purpose, seconds] of [
        ['gate', 20],
        ['build', 60],
      ] as const) {
        const { jail, seen, clock } = openStand(kind)
        await assert.rejects(clock.during(jail.visit(visitOf({ purpose }))), hasCode(code))
        assert.deepEqual([seen, clock.monotonicMs()], [[], seconds * 1000])
      }
    })

  it('end with the signal while they hang', async () => {
    const { jail, clock } = openStand('hang')
    const controller = new AbortController()
    const visiting = jail.visit(visitOf({ signal: controller.signal }))
    controller.abort(new RindleError('lease_lost', {}))
    await assert.rejects(visiting, hasCode('lease_lost'))
    assert.equal(clock.nextWakeSeconds(), null)
  })

  it('are slow', async () => {
    const { jail, seen, clock } = openStand('slow')
    const visiting = jail.visit(visitOf())
    clock.advance(4)
    await pause(1)
    assert.deepEqual(seen, [])
    clock.advance(1)
    await visiting
    assert.deepEqual(seen, ['visit'])
  })

  it('cut one variant that they described', async () => {
    const { jail } = openStand('cut_output')
    const verdict = await jail.visit(visitOf())
    assert.ok(verdict.verdict === 'pass' && verdict.variants.every((made) => made.ok && made.byteSize === 10))
    const left = ['one', 'two'].map((name) => readFileSync(join(folder, name)).byteLength)
    assert.equal(left.filter((length) => length === 10).length, 1, String(left))
  })

  it('can cut nothing where they make nothing', async () => {
    const { jail } = openStand('cut_output')
    await assert.rejects(jail.visit(visitOf({ variants: [] })), hasCode('argument_invalid'))
  })

  it('are warmed and asked what they can do as well', async () => {
    for (const run of [(jail: Jail) => jail.warm(), (jail: Jail) => jail.report()]) {
      const { jail, seen } = openStand('fail_before')
      await assert.rejects(run(jail), hasCode('decoder_unavailable'))
      await run(jail)
      await jail.close()
      assert.equal(seen.length, 2)
    }
  })
})
