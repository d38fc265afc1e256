/** Where the http door serves the tickets of hosted stores, below the place where it is mounted. */
export const objectPath = '/objects/:ticket'

/** Where it serves the tracks of thumbnails. */
export const trackPath = '/tracks/:ticket'
