import { z } from '@hono/zod-openapi';
import { expecting } from '../http/problems.ts';

/** Lists are complete under their own name, or, if a page is asked for, in pages. */

const PAGE_SIZE_DEFAULT = 10;
const PAGE_SIZE_MAX = 100;
const PAGE_MAX = 1_000_000;

function wholeNumber(max: number) {
  const error = expecting(`a whole number from 1 to ${max}`);
  return z
    .string({ error })
    .refine((value) => /^[1-9]\d{0,6}$/.test(value) && Number(value) <= max, { error })
    .openapi({ type: 'integer', minimum: 1, maximum: max });
}

/** Query parameters of every list. */
export const pageQuery = {
  page: wholeNumber(PAGE_MAX).optional().openapi({ description: 'Which page; 1 if left out.', example: '1' }),
  page_size: wholeNumber(PAGE_SIZE_MAX)
    .optional()
    .openapi({ description: 'Items a page; 10 if left out.', example: '25' }),
};

export interface PageQuery {
  readonly page?: string | undefined;
  readonly page_size?: string | undefined;
}

const paginationSchema = z
  .object({
    page: z.int(),
    page_size: z.int(),
    total_pages: z.int(),
    total_items: z.int(),
    has_next: z.boolean(),
    has_prev: z.boolean(),
  })
  .openapi('Pagination', {
    example: { page: 1, page_size: 10, total_pages: 5, total_items: 47, has_next: true, has_prev: false },
  });

export type Pagination = z.infer<typeof paginationSchema>;

export function pageOf<S extends z.ZodType>(item: S) {
  return z.object({ data: z.array(item), pagination: paginationSchema });
}

export function isPaged(query: PageQuery): boolean {
  return query.page !== undefined || query.page_size !== undefined;
}

/** @returns undefined if no page was asked for */
export function paginate<T>(
  items: readonly T[],
  query: PageQuery,
): { readonly data: readonly T[]; readonly pagination: Pagination } | undefined {
  if (!isPaged(query)) return undefined;
  const { offset, limit } = pageRange(query);
  return { data: items.slice(offset, offset + limit), pagination: paginationOf(query, items.length) };
}

/** Which items a page holds; the first page if none was asked for. */
export function pageRange(query: PageQuery): { readonly offset: number; readonly limit: number } {
  const limit = Number(query.page_size ?? PAGE_SIZE_DEFAULT);
  return { offset: (Number(query.page ?? 1) - 1) * limit, limit };
}

export function paginationOf(query: PageQuery, totalItems: number): Pagination {
  const page = Number(query.page ?? 1);
  const pageSize = pageRange(query).limit;
  const totalPages = Math.ceil(totalItems / pageSize);
  return {
    page,
    page_size: pageSize,
    total_pages: totalPages,
    total_items: totalItems,
    has_next: page < totalPages,
    has_prev: page > 1 && totalItems > 0,
  };
}
