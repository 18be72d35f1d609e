-- == setup
CREATE TABLE parts (id int NOT NULL, day int NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
-- == up
ALTER TABLE parts ADD PRIMARY KEY (id, day);
-- == down
ALTER TABLE parts DROP CONSTRAINT parts_pkey;
-- == findings
@1
-- == safe up: replaced
ALTER TABLE ONLY parts ADD CONSTRAINT parts_pkey PRIMARY KEY (id, day);
CREATE UNIQUE INDEX CONCURRENTLY parts_1_pkey ON public.parts_1 (id, day);
ALTER TABLE public.parts_1 ADD CONSTRAINT parts_1_pkey PRIMARY KEY USING INDEX parts_1_pkey;
ALTER INDEX parts_pkey ATTACH PARTITION public.parts_1_pkey;
-- == safe down
ALTER TABLE parts DROP CONSTRAINT parts_pkey;
