async def test_x(store):
    async with store.begin() as tx:
        assert await tx.watches.all() == []
    
async def test_y(store):
    async with store.begin() as tx:
        assert await tx.watches.all() == []
def test_z(postgres_url): pass
