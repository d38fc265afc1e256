import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const executablePath = '/usr/bin/chromium'

/** Keep Chromium from looking for hosts of its own: it has no business but with the page under test. */
const quiet = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function hasChromium(): boolean {
  return existsSync(executablePath)
}

/**
 * Starts a headless Chromium with an empty profile of its own, which `close()` removes.
 * @throws when Chromium is not installed; `hasChromium()` tells before.
 */
export async function launchChromium(): Promise<Browser> {
  if (!hasChromium()) throw new Error('Chromium is not installed: apt-get install chromium')
  return chromium.launch({ executablePath, headless: true, args: quiet })
}
