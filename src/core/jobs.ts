/**
 * Every job there is: what its id names, and how many of it one worker process runs at once. All decoders share the places that a worker has
 * for them, and encoders, which take minutes, have places of their own.
 */
export const jobCatalog = {
  promote_asset: { subject: 'asset', means: 'Take an asset through the gate and make its image variants.', concurrency: 'decoders' },
  build_variants: { subject: 'asset', means: 'Make what an asset that passed the gate still lacks.', concurrency: 'decoders' },
  make_poster: { subject: 'asset', means: 'Make the frames of a film that players show first.', concurrency: 'decoders' },
  transcode_asset: { subject: 'asset', means: 'Make all that is still missing of a film or a sound, in one run.', concurrency: 'encoders' },
  settle_slots: { subject: 'asset', means: 'Let a replacement take its place once the gate has spoken.', concurrency: 4 },
  purge_asset: { subject: 'asset', means: 'Look whether an unattached asset may go, and take it away.', concurrency: 4 },
  delete_object: { subject: 'object', means: 'Delete one doomed object from storage, and once more when its watch ends.', concurrency: 8 },
} as const satisfies Record<string, { subject: 'asset' | 'object'; means: string; concurrency: number | 'decoders' | 'encoders' }>

export type JobName = keyof typeof jobCatalog
const isJobName = (name: string): name is JobName => name in jobCatalog
export const jobNames: readonly JobName[] = Object.keys(jobCatalog).filter(isJobName)
