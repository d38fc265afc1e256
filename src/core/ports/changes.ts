/** Says across processes that an asset changed, so that whoever waits looks at its row at once. A hint: waiting also polls. */
export interface Changes {
  /** After a commit that changed the asset. Coalesced; never throws, never waits. */
  announce(assetId: string): void
  /** Calls back whenever the asset may have changed. Returns how to stop. */
  watch(assetId: string, look: () => void): () => void
}
