export function bundle(entry: string, packages: Set<string>, options?: Record<string, unknown>): Promise<Buffer>;
export function bundleLater(entry: string, packages: Set<string>): Promise<Buffer>;
export const root: string;
