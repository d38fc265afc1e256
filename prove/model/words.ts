import type { Action } from './actions.ts'

/** An action in words, for a way that somebody has to follow. */
export const wordsOf = (action: Action): string => {
  switch (action.do) {
    case 'put':
      return `put ${action.bytes} to ${action.key}${landingOf(action.landing)}`
    case 'land':
      return `late call ${action.index} lands`
    case 'delete':
      return `somebody begins to delete ${action.key}`
    case 'step':
      return `actor ${action.actor} goes on${landingOf(action.landing)}`
    case 'beat':
      return `the timer of actor ${action.actor} fires${sentOf(action.isSent)}`
    case 'kill':
      return `actor ${action.actor} is killed${sentOf(action.isSent)}`
    case 'sweep':
      return 'the sweep looks'
    case 'attach':
      return `attach ${action.life} to slot ${action.slot}`
    case 'detach':
      return `detach slot ${action.slot}`
    case 'tick':
      return `${action.seconds} s pass`
    default:
      return `${action.do} ${action.life}`
  }
}

const landingOf = (landing: string): string => (landing === 'now' ? '' : landing === 'unseen' ? ', unanswered' : `, landing ${landing}`)
const sentOf = (isSent: boolean): string => (isSent ? ' while its call is on its way' : '')

export const wayInWords = (actions: readonly Action[]): string =>
  actions.map((action, at) => `\n    ${at + 1}. ${wordsOf(action)}`).join('')
