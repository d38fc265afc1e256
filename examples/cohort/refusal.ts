/** What a page shows as it is. */
export const refusal = (message: string) => ({ error: { message } })
