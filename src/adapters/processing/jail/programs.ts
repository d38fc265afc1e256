import { existsSync } from 'node:fs'

const places = ['/usr/bin', '/bin', '/usr/local/bin']

/** The path of a program that systems keep in their usual places; null where it is not installed. */
export const findProgram = (name: string): string | null =>
  places.map((place) => `${place}/${name}`).find((path) => existsSync(path)) ?? null
