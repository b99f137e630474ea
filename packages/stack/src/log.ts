/** Hears what the stack does, one sentence at a time: a download, a restart. */
export type StackLog = (message: string) => void

export const silent: StackLog = () => {}
