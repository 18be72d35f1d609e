-- == setup
CREATE TABLE visits (id int, day int, page text) PARTITION BY RANGE (day);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10);
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (10) TO (20);
-- == up
CREATE INDEX visits_page_idx ON visits (page);
-- == down
DROP INDEX visits_page_idx;
-- == findings
@1
-- == safe up: replaced
CREATE INDEX visits_page_idx ON ONLY visits (page);
CREATE INDEX CONCURRENTLY visits_1_page_idx ON public.visits_1 (page);
CREATE INDEX CONCURRENTLY visits_2_page_idx ON public.visits_2 (page);
ALTER INDEX visits_page_idx ATTACH PARTITION public.visits_1_page_idx;
ALTER INDEX visits_page_idx ATTACH PARTITION public.visits_2_page_idx;
-- == safe down
DROP INDEX visits_page_idx;
