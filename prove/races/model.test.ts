import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Call, type Deed, explain, type File, type Table } from './model.ts'
import { planned } from './variants.ts'

const passed: File = { phase: 'passed', session: 'completed', released: false, good: true, wanted: [], variants: {}, spokeBy: 0 }
const film: File = { ...passed, phase: 'gate', spokeBy: null, wanted: ['poster', 'web'] }
const table = (files: readonly File[]): Table => ({ files, singles: [{ current: null, pending: null }], many: [] })

/** One after another, at the times given. */
const deed = (from: number, to: number, ...calls: Call[]): Deed => ({ calls, from, to })
const attached = (file: number): Call => ({ do: 'attach', file, slot: 0, told: { file, standing: 'current', previous: null } })
const shows = (file: number | null): Call => ({
  ...{ do: 'read', slot: 0 },
  told: file === null ? null : { file, standing: 'current', previous: null },
})
const end = (current: number | null, phases: readonly File['phase'][], variants: readonly string[] = phases.map(() => '')): Deed =>
  deed(1000, 1001, { do: 'end', told: { singles: [{ current, pending: null }], many: [], phases, variants } })

describe('the model of a slot', () => {
  it('explains two who attach at once, whoever of them was last', () => {
    const both = [deed(0, 10, attached(0)), deed(0, 10, attached(1))]
    assert.equal(explain(table([passed, passed]), [...both, end(0, ['passed', 'gone'])]), 'explained')
    assert.equal(explain(table([passed, passed]), [...both, end(1, ['gone', 'passed'])]), 'explained')
  })

  it('does not explain a wish that was lost, nor one that won over a later one', () => {
    assert.equal(explain(table([passed]), [deed(0, 10, attached(0)), end(null, ['passed'])]), 'unexplained')
    const inTurn = [deed(0, 10, attached(0)), deed(20, 30, attached(1))]
    assert.equal(explain(table([passed, passed]), [...inTurn, end(0, ['passed', 'gone'])]), 'unexplained')
  })

  it('does not explain what was seen after it had ended, nor a loser that is left behind', () => {
    const stale = [deed(0, 10, attached(0)), deed(20, 30, { do: 'detach', file: null, slot: 0 }), deed(40, 50, shows(0))]
    assert.equal(explain(table([passed]), [...stale, end(null, ['gone'])]), 'unexplained')
    const left = [deed(0, 10, attached(0)), deed(20, 30, attached(1))]
    assert.equal(explain(table([passed, passed]), [...left, end(1, ['passed', 'passed'])]), 'unexplained')
  })

  it('does not explain a purge of what stands in a slot', () => {
    const both = [deed(0, 10, attached(0)), deed(20, 30, { do: 'purge', file: 0, told: 'done' })]
    assert.equal(explain(table([passed]), [...both, end(0, ['gone'])]), 'unexplained')
  })

  it('lets a replacement wait until the gate has spoken', () => {
    const inGate: File = { ...passed, phase: 'gate', spokeBy: null }
    const waits: Call = { do: 'attach', file: 1, slot: 0, told: { file: 1, standing: 'pending', previous: 0 } }
    const deeds = [deed(0, 10, attached(0)), deed(20, 30, waits)]
    assert.equal(explain(table([passed, inGate]), [...deeds, end(1, ['gone', 'passed'])]), 'explained')
    assert.equal(explain(table([passed, inGate]), [...deeds, end(0, ['passed', 'passed'])]), 'unexplained')
    const bad: File = { ...inGate, good: false }
    assert.equal(explain(table([passed, bad]), [...deeds, end(0, ['passed', 'refused'])]), 'explained')
  })

  it('lets who looked before the gate spoke attach what it refused, and nobody later', () => {
    const bad: File = { ...passed, phase: 'gate', spokeBy: null, good: false }
    const seesRefusal: Call = { do: 'attach', file: 0, slot: 0, told: 'refused' }
    const meanwhile = [deed(0, 50, attached(0)), deed(10, 20, seesRefusal), deed(30, 40, shows(null))]
    assert.equal(explain(table([bad]), [...meanwhile, end(null, ['refused'])]), 'explained')
    const later = [deed(10, 20, seesRefusal), deed(30, 40, attached(0))]
    assert.equal(explain(table([bad]), [...later, end(null, ['refused'])]), 'unexplained')
  })

  it('explains a variant that was made before it could be stopped, and one that was asked for again', () => {
    const stops = (from: number, told: readonly string[] | 'idle'): Deed => deed(from, from + 10, { do: 'stop', file: 0, told })
    const asks = (from: number, told: readonly string[]): Deed => deed(from, from + 10, { do: 'ask', file: 0, names: null, told })
    const ending = (deeds: readonly Deed[], variants: string): string =>
      explain(table([film]), [...deeds, end(null, ['passed'], [variants])])
    assert.equal(ending([], 'poster made 1, web made 1'), 'explained')
    assert.equal(ending([stops(0, ['web'])], 'poster made 1, web stopped 0'), 'explained')
    assert.equal(ending([stops(0, ['web'])], 'poster made 1, web made 1'), 'unexplained')
    assert.equal(ending([stops(0, 'idle')], 'poster made 1, web stopped 0'), 'unexplained')
    const afterIdle = [stops(0, 'idle'), stops(20, ['web']), end(null, ['passed'], ['poster made 1, web stopped 0'])]
    assert.equal(explain(table([film]), afterIdle), 'explained')
    assert.equal(explain(table([{ ...film, phase: 'passed', variants: planned(film.wanted) }]), afterIdle), 'unexplained')
    assert.equal(ending([stops(0, ['web']), asks(20, ['web'])], 'poster made 1, web made 1'), 'explained')
    assert.equal(ending([stops(0, ['web']), asks(20, ['web'])], 'poster made 1, web made 2'), 'unexplained')
    assert.equal(ending([stops(0, ['web']), asks(20, [])], 'poster made 1, web stopped 0'), 'unexplained')
    assert.equal(ending([stops(0, ['web']), asks(5, []), asks(20, ['web'])], 'poster made 1, web made 1'), 'explained')
  })

  it('gives up where there is too much to look at', () => {
    assert.equal(
      explain(table([passed, passed]), [deed(0, 10, attached(0)), deed(0, 10, attached(1)), end(0, ['passed', 'gone'])], 1),
      'undecided',
    )
  })
})
