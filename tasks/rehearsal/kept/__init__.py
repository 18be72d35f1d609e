"""What is kept between commands in the cache folder of the account: schemas of scratch databases, and what they rest on."""
