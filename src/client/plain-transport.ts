export interface Transport {
  fetch(target: string, init: RequestInit): Promise<Response>;
  openWebSocket(url: string, protocols: string[]): Promise<WebSocket>;
}

/** With what Node and browsers have of their own. */
export const plainTransport: Transport = {
  fetch: (target, init) => fetch(target, init),
  openWebSocket: async (url, protocols) => new WebSocket(url, protocols),
};
