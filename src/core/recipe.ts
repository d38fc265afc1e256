export type ImageMode = 'fit' | 'fill' | 'crop'
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'avif'

/** How one image variant is made; every default filled in. */
export interface ImageRecipe {
  readonly kind: 'image'
  /**
   * `fit` keeps the aspect ratio inside the box and never enlarges. `fill` covers and crops around the middle to exactly W×H, and is the
   * only one that enlarges a smaller picture. `crop` cuts the largest part of the shape W:H around the focal point and never enlarges: a
   * smaller picture gives a smaller variant of that shape.
   */
  readonly mode: ImageMode
  readonly width: number | null
  readonly height: number | null
  /** `auto` is webp where the source has alpha, else jpeg. */
  readonly format: ImageFormat | 'auto'
  /** 1 to 100. */
  readonly quality: number
  /** 0 to 9, as the encoder takes it: webp goes to 6, png compresses by it, jpeg has none. */
  readonly effort: number
  /** What shows through where the format has no alpha: `#rrggbb`. */
  readonly background: string
  /** Where the eye should rest, each 0 to 1 of the displayed picture. */
  readonly focal: { readonly x: number; readonly y: number }
  /** Keeps the frames of a GIF or WebP, as WebP: `auto` then means webp. Other formats show the first frame. */
  readonly animated: boolean
}

export type Recipe = ImageRecipe

/** What a profile makes, by name. */
export type Recipes = Readonly<Record<string, Recipe>>
