/** Where one is: what stands behind the `#`, so that the server needs no routes and a link can be sent around. */
export type Place =
  | { readonly page: 'deployments' }
  | { readonly page: 'deployment'; readonly id: string }
  | { readonly page: 'workers' }
  | { readonly page: 'queues' }
  | { readonly page: 'dead'; readonly queue: string };

export function placeOf(hash: string): Place {
  const [page, id, rest] = hash.replace(/^#?\/?/, '').split('/');
  const name = id === undefined ? undefined : decoded(id);
  if (page === 'deployments' && name !== undefined && name !== '') return { page: 'deployment', id: name };
  if (page === 'queues' && name !== undefined && rest === 'dead') return { page: 'dead', queue: name };
  if (page === 'workers' || page === 'queues') return { page };
  return { page: 'deployments' };
}

export function hashOf(place: Place): string {
  switch (place.page) {
    case 'deployment':
      return `#/deployments/${encodeURIComponent(place.id)}`;
    case 'dead':
      return `#/queues/${encodeURIComponent(place.queue)}/dead`;
    case 'deployments':
    case 'workers':
    case 'queues':
      return `#/${place.page}`;
    default:
      return place satisfies never;
  }
}

/** The token of a link such as the one that `npm start` prints, `/#token=…`. */
export function tokenOf(hash: string): string | undefined {
  const token = /^#token=(.+)$/.exec(hash)?.[1];
  return token === undefined ? undefined : decoded(token);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
