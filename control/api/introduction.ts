import { errorTable } from './error-codes.ts';

/** What holds for all endpoints, in Markdown: the head of `/openapi.json`, of the page at `/docs` and of `docs/api.md`. */
export const INTRODUCTION = `\
REST, JSON. Default base URL \`http://127.0.0.1:8080/api/v1/canary\`. The API describes itself at \`/openapi.json\` and, to
browse, at \`/docs\`; both need no token.

\`\`\`sh
API=http://127.0.0.1:8080/api/v1/canary
TOKEN=$(cat .lanewise/token)
curl -H "Authorization: Bearer $TOKEN" "$API/deployments"
\`\`\`

## Credentials

\`Authorization: Bearer <token>\` or \`X-API-Key: <token>\`. With both, the first counts. A token has a role (\`viewer\`,
\`operator\`, \`worker\`, \`admin\`) and may be limited to a tenant.

## Requests

A body is one JSON object in UTF-8, at most 1 MiB, with \`Content-Type: application/json\`. A field that is not known, given
twice or out of range is refused by name; nothing is stored then.

- Percentages: a number from 0 to 100, at most two decimals.
- Durations: \`500ms\`, \`90s\`, \`1h30m\`. In answers always \`1h30m0s\`.
- Times: RFC 3339 in UTC, \`2025-09-14T12:00:00Z\`.
- Queue names: 1 to 128 letters, digits or any of \`. _ - { }\`, beginning with a letter, a digit or \`{\`. On a Redis Cluster
  a part must stand in braces, \`{payments}\`.
- Versions, tenants, worker ids: 1 to 128 visible ASCII characters without spaces.

Every answer carries an \`X-Request-Id\`: the request's own if it has a sane one (1 to 128 visible ASCII characters), else a
new one. Each line that the request leaves in the log has it as \`request_id\`.

## Errors

\`\`\`json
{
  "error": "The request is not valid: percentage must be a number from 0 to 100 with at most two decimals, got 150",
  "code": "INVALID_PERCENTAGE",
  "details": { "percentage": "must be a number from 0 to 100 with at most two decimals, got 150" }
}
\`\`\`

\`details\` maps each bad field to what is wrong with it, all of them at once.

${errorTable()}

## Rate limits

By default a token may make 100 requests a minute and 20 at once, over all instances of the control plane together: a bucket
of 20 that is filled at that rate. Every answer under the base path says where it stands:

- \`X-RateLimit-Limit\`: requests a minute.
- \`X-RateLimit-Remaining\`: requests that may follow at once.
- \`X-RateLimit-Reset\`: the Unix second at which the bucket is full again.

Above it: 429 \`RATE_LIMITED\` with \`Retry-After\` in seconds. Requests without a known token count by the address that they
come from. While the store is away, nobody is limited, and the three headers are left out.

## Lists

Lists are complete, under their own name with a \`count\`. With \`page\` or \`page_size\` (default 10, at most 100) they come in
pages: \`{"data": […], "pagination": {"page", "page_size", "total_pages", "total_items", "has_next", "has_prev"}}\`.

## Changing what you have seen

Answers about one deployment carry its version as \`ETag: "7"\`. A change or a delete that is sent with \`If-Match: "7"\` is
made only while that is still its version; else 412 \`PRECONDITION_FAILED\`, and nothing has happened.

## Sending again

A POST with an \`Idempotency-Key\` (1 to 255 visible ASCII characters, a UUID for example) is executed once. Sent again
within 24 hours with the same token, path, key and body, it gets the answer of the first time, with
\`Idempotency-Replayed: true\`.

- With another body, query or \`If-Match\`: 400 \`VALIDATION_FAILED\`.
- While the first one has not been answered: 409 \`REQUEST_IN_PROGRESS\` with \`Retry-After\`.
- Refusals are kept too; a corrected request needs a new key. Not kept: 429 and 5xx, which ask to be sent again.

## Routing

Answers that change the routing carry \`"routing": {"revision": 43, "proxies": 3, "applied": 3}\`: the number of the change,
how many proxies live, and how many of them route by it. They wait for the proxies up to one second.
`;
