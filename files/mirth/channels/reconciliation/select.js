return pollOrders();
