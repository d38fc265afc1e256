import assert from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import sharp, { type Sharp } from 'sharp'
import { build } from 'vite'

/** Builds the page that Cohort serves. */
export const buildPage = () => build({ configFile: fileURLToPath(new URL('../../examples/cohort/vite.config.ts', import.meta.url)) })

/** A picture that can be told from others by its background. */
export const drawing = (background: string, width = 1600, height = 1200): Sharp => {
  const circle = Buffer.from('<svg width="800" height="800"><circle cx="400" cy="400" r="380" fill="#f2c879"/></svg>')
  return sharp({ create: { width, height, channels: 3, background } }).composite([{ input: circle }])
}

/** @throws when it has not come to pass within so many seconds. */
export async function until(holds: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
  for (let left = seconds * 10; left > 0; left -= 1) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(`it did not come to pass within ${seconds} seconds`)
}
