/**
 * What of a file's own metadata is served with it. `strip-location` takes out where it was made and keeps the rest; `strip` takes out all
 * that is not needed to draw or play it (orientation and colour profile stay); `keep` changes nothing.
 */
export type MetadataPolicy = 'keep' | 'strip-location' | 'strip'

export const metadataPolicies: readonly MetadataPolicy[] = ['keep', 'strip-location', 'strip']
