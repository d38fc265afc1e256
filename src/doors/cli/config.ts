/** What the command line finds around it. With host.ts the only place that may read the environment. */
export interface CliConfig {
  /** Where relative files are looked for. */
  readonly folder: string
  readonly nodeVersion: string
}

export const readConfig = (): CliConfig => Object.freeze({ folder: process.cwd(), nodeVersion: process.versions.node })
